//go:build mpi && (amd64 || arm64)

package mpi

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"unsafe"

	"github.com/ebitengine/purego"
)

// LibraryVariable names the MPI library to load: a file's path, or a name that the system's loader knows.
const LibraryVariable = "FV_MPI_LIBRARY"

// Names of libraries: Open MPI 4 and 5; MPICH and those alike, as they call it themselves and as Debian does; the MPI 5
// standard's binary interface; and whatever a developer's package calls MPI.
var (
	openMPINames = []string{"libmpi.so.40", "libmpi.so.80"}
	mpichNames   = []string{"libmpi.so.12", "libmpich.so.12"}
	otherNames   = []string{"libmpi_abi.so.1", "libmpi_abi.so.0", "libmpi_abi.so", "libmpi.so"}
)

// library is an MPI library with what is called of it.
type library struct {
	file, version string
	abi           abi

	init, finalize, abort, commDup, setErrhandler, commRank, commSize, errorString uintptr
	allgatherv, alltoallv, broadcast, send, receive, test                          uintptr
}

// abi is what binary interfaces differ in: the handles of what is predefined, and some constants.
type abi struct {
	name                      string
	world, byte, errorsReturn uintptr
	funneled, ignoreStatus    uintptr
}

// Of MPICH's family (MPICH, MVAPICH, Intel MPI, Cray MPICH): numbers of 32 bits.
var mpichABI = abi{"MPICH's", 0x44000000, 0x4c00010d, 0x54000001, 1, 1}

// Of the MPI 5.0 standard, chapter "Application Binary Interface".
var standardABI = abi{"the MPI standard's", 0x101, 0x247, 0x143, 1024, 0}

// candidates returns the libraries to try, those of the launcher's kind first.
func candidates(l launch) []string {
	if name := os.Getenv(LibraryVariable); name != "" {
		return []string{name}
	}
	first, then := mpichNames, openMPINames
	if l.openMPI {
		first, then = then, first
	}
	return slices.Concat(first, otherNames, then)
}

// open loads the first library that is there.
func open(l launch) (*library, error) {
	var tried []string
	for _, name := range candidates(l) {
		// Open MPI's plug-ins look for its symbols among those of the process.
		handle, err := purego.Dlopen(name, purego.RTLD_NOW|purego.RTLD_GLOBAL)
		if err != nil {
			tried = append(tried, err.Error())
			continue
		}
		lib := &library{file: name}
		if err := lib.bind(handle); err != nil {
			return nil, fmt.Errorf("%s is no MPI library that this program can use: %w; %s=FILE names another", name, err, LibraryVariable)
		}
		return lib, nil
	}
	return nil, fmt.Errorf("no MPI library could be loaded; install Open MPI or MPICH, or say where it is with %s=FILE. Tried:\n  %s", LibraryVariable, strings.Join(tried, "\n  "))
}

// bind finds the functions and the kind of interface.
func (lib *library) bind(handle uintptr) error {
	var missing []string
	find := func(name string) uintptr {
		f, err := purego.Dlsym(handle, name)
		if err != nil {
			missing = append(missing, name)
		}
		return f
	}
	versionOf := find("MPI_Get_library_version")
	for _, f := range []struct {
		at   *uintptr
		name string
	}{
		{&lib.init, "MPI_Init_thread"}, {&lib.finalize, "MPI_Finalize"}, {&lib.abort, "MPI_Abort"}, {&lib.commDup, "MPI_Comm_dup"},
		{&lib.setErrhandler, "MPI_Comm_set_errhandler"}, {&lib.commRank, "MPI_Comm_rank"}, {&lib.commSize, "MPI_Comm_size"},
		{&lib.errorString, "MPI_Error_string"}, {&lib.allgatherv, "MPI_Iallgatherv"}, {&lib.alltoallv, "MPI_Ialltoallv"},
		{&lib.broadcast, "MPI_Ibcast"}, {&lib.send, "MPI_Isend"}, {&lib.receive, "MPI_Irecv"}, {&lib.test, "MPI_Test"},
	} {
		*f.at = find(f.name)
	}
	if len(missing) > 0 {
		return fmt.Errorf("it has no %s, which MPI 3 has", strings.Join(missing, ", "))
	}
	const most = 8192 // of the known libraries
	lib.version = text(most, func(buffer, length unsafe.Pointer) uintptr { return call(versionOf, uintptr(buffer), uintptr(length)) })
	return lib.chooseABI(handle)
}

// chooseABI tells by its symbols and its version which interface a library has.
func (lib *library) chooseABI(handle uintptr) error {
	symbol := func(name string) uintptr {
		s, _ := purego.Dlsym(handle, name)
		return s
	}
	if world := symbol("ompi_mpi_comm_world"); world != 0 {
		lib.abi = abi{"Open MPI's", world, symbol("ompi_mpi_byte"), symbol("ompi_mpi_errors_return"), 1, 0}
		if lib.abi.byte == 0 || lib.abi.errorsReturn == 0 {
			return errors.New("it has Open MPI's ompi_mpi_comm_world, but not ompi_mpi_byte and ompi_mpi_errors_return")
		}
		return nil
	}
	// A library without the standard's interface answers -1.
	if version := symbol("MPI_Abi_get_version"); version != 0 {
		var major, minor int32
		if call(version, uintptr(unsafe.Pointer(&major)), uintptr(unsafe.Pointer(&minor))) == 0 && major >= 1 {
			lib.abi = standardABI
			return nil
		}
	}
	for _, name := range []string{"MPICH", "MVAPICH", "Intel(R) MPI"} {
		if strings.Contains(lib.version, name) {
			lib.abi = mpichABI
			return nil
		}
	}
	return fmt.Errorf("it is neither Open MPI nor MPICH nor does it have the MPI 5 standard's binary interface; it calls itself %q", lib.version)
}

// call calls a function of the library that returns an int. Where an argument is converted from a pointer in the call itself, what it
// points to is on the heap and stays until the call returns.
//
//go:uintptrescapes
func call(f uintptr, args ...uintptr) uintptr {
	r, _, _ := purego.SyscallN(f, args...)
	return uintptr(uint32(r))
}

// text returns the string of at most so many bytes that f fills in, its first line.
func text(most int, f func(buffer, length unsafe.Pointer) uintptr) string {
	buffer, length := make([]byte, most+1), new(int32)
	if f(unsafe.Pointer(&buffer[0]), unsafe.Pointer(length)) != 0 {
		return "unknown"
	}
	s := strings.TrimRight(string(buffer[:min(max(int(*length), 0), most)]), "\x00\n ")
	s, _, _ = strings.Cut(s, "\n")
	return strings.Join(strings.Fields(s), " ")
}

// check returns the error of a call's return code.
func (lib *library) check(what string, code uintptr) error {
	if code == 0 {
		return nil
	}
	const most = 512
	s := text(most, func(buffer, length unsafe.Pointer) uintptr {
		return call(lib.errorString, code, uintptr(buffer), uintptr(length))
	})
	return fmt.Errorf("%w: %s: %s", ErrBroken, what, s)
}
