#!/usr/bin/env bash
# scripts/emulate/prepare.sh [SOURCE]
#
# Makes what scripts/emulate needs, in ~/.cache/fv-emulate: Bochs, built from its source with the mends below, and a Linux kernel, from Debian's package
# linux-image-cloud-amd64. SOURCE is the unpacked source of Bochs 3.0; without it, apt-get source fetches that, which takes a deb-src line of a
# Debian that has it (trixie or later). Needs Debian's packages g++, make, xz-utils, dpkg-dev, isolinux, syslinux-common, xorriso and seabios.
set -euo pipefail
source=${1:+$(realpath "$1")}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/fv-emulate
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$cache"
cd "$work"

for f in /usr/lib/ISOLINUX/isolinux.bin /usr/lib/syslinux/modules/bios/ldlinux.c32 /usr/share/seabios/bios.bin /usr/bin/xorriso; do
	[ -e $f ] || { echo "$f is not there: apt-get install g++ make xz-utils dpkg-dev isolinux syslinux-common xorriso seabios" >&2; exit 1; }
done

if [ ! -e "$cache/vmlinuz" ]; then
	package=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: //p' | head -1)
	apt-get download "$package"
	dpkg-deb -x "$package"_*.deb kernel
	cp kernel/boot/vmlinuz-* "$cache/vmlinuz"
fi

if [ -z "$source" ]; then
	apt-get source --only-source bochs || { echo "no source of Bochs: add a deb-src line, or unpack the source of Bochs 3.0 and name its folder" >&2; exit 1; }
	source=$(echo "$work"/bochs-*)
fi
cp -r "$source" bochs
cd bochs
[ -e cpu/avx/amx.cc ] || { echo "$source does not know AMX: want Bochs 3.0, of Debian trixie or later" >&2; exit 1; }

# mend FILE COMMAND...: sed, which must change something.
mend() {
	local file=$1
	shift
	cp "$file" before
	sed -i "$@" "$file"
	if cmp -s before "$file"; then echo "$source/$file is not that of Bochs 3.0: nothing mended by $*" >&2; exit 1; fi
}
# The upper half of VCVTNE2PS2BF16 is the first source, from its start.
mend cpu/avx/avx512_bf16.cc 's/bfloat16(op1\.vmm32u(n));$/bfloat16(op1.vmm32u(n - DWORD_ELEMENTS(len)));/'
# Tiles in memory: rows and bytes of a row change places in what XSAVE writes, half of the rows are missing, and they are taken for empty when they are not.
mend cpu/xsave.cc -e 's/\(vmm16u(8+n) .*\)\.rows;/\1.bytes_per_row;/' -e 's/\(vmmubyte(48+n) .*\)\.bytes_per_row;/\1.rows;/'
mend cpu/xsave.cc 's/row=0; row < BX_TILE_REGISTERS/row=0; row < BX_TILE_MAX_ROWS/'
mend cpu/xsave.cc 's/tile_use_tracker == 0/tile_use_tracker != 0/'
mend cpu/avx/amx.h 's/start_row(0) {}/start_row(0), tile_use_tracker(0) {}/'
# Extended feature disable (XFD), without which Linux gives no program the tiles.
mend cpu/cpuid.cc '/EBX\[31:00\] - The size .* XSAVE area/i if (is_cpu_extension_supported(BX_ISA_AMX)) leaf->eax |= 1 << 4;'
mend cpu/cpuid.cc '/leaf->ecx = (cpu->ia32_xss_suppmask/a if (subfunction == xcr0_t::BX_XCR0_XTILEDATA_BIT) leaf->ecx |= 1 << 2;'
mend cpu/cpu.h 's/^  Bit64u ia32_xss;/& Bit64u ia32_xfd, ia32_xfd_err;/'
mend cpu/init.cc 's/^  BX_CPU_THIS_PTR msr.ia32_xss = 0;/& BX_CPU_THIS_PTR msr.ia32_xfd = BX_CPU_THIS_PTR msr.ia32_xfd_err = 0;/'
mend cpu/msr.cc '/msr_desc\[BX_MSR_XSS\]/a \
  msr_desc[BX_MSR_IA32_XFD] = new MSR_Descriptor("MSR_IA32_XFD", BX_ISA_AMX);\
  msr_desc[BX_MSR_IA32_XFD_ERROR] = new MSR_Descriptor("MSR_IA32_XFD_ERR", BX_ISA_AMX);'
mend cpu/msr.cc '/BX_CPU_C::rdmsr(/,/case BX_MSR_XSS:/ s/case BX_MSR_XSS:/case BX_MSR_IA32_XFD: val64 = BX_CPU_THIS_PTR msr.ia32_xfd; break;\
    case BX_MSR_IA32_XFD_ERROR: val64 = BX_CPU_THIS_PTR msr.ia32_xfd_err; break;\
    &/'
mend cpu/msr.cc '/BX_CPU_C::wrmsr(/,/case BX_MSR_XSS:/ s/case BX_MSR_XSS:/case BX_MSR_IA32_XFD: BX_CPU_THIS_PTR msr.ia32_xfd = val_64; break;\
    case BX_MSR_IA32_XFD_ERROR: BX_CPU_THIS_PTR msr.ia32_xfd_err = val_64; break;\
    &/'
for f in check_tile TILEZERO_Tnnn; do
	mend cpu/avx/amx.cc "/BX_CPU_C::$f(/{n;s/{/{\\
  if (BX_CPU_THIS_PTR msr.ia32_xfd \\& BX_XCR0_XTILEDATA_MASK) {\\
    BX_CPU_THIS_PTR msr.ia32_xfd_err = BX_XCR0_XTILEDATA_MASK;\\
    exception(BX_NM_EXCEPTION, 0);\\
  }/}"
done
rm before

./configure --with-nogui --without-x --disable-plugins --disable-docbook --enable-cpu-level=6 --enable-x86-64 --enable-avx --enable-evex --enable-amx \
	--enable-smp --enable-pci --enable-all-optimizations CFLAGS='-O2 -march=native' CXXFLAGS='-O2 -march=native' >configure.out
make -j"$(nproc)" >make.out 2>&1 || { tail -20 make.out >&2; exit 1; }
cp bochs "$cache/bochs"
echo "$cache/bochs and $cache/vmlinuz are ready"
