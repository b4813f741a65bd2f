#!/usr/bin/env python3
"""Images of the kinds that Go cannot write, for the tests of the decoder.

  python pipeline/dataset/testdata/make.py

Each shows the same 24x16 picture: at x, y it has red 10*x, green 15*y and blue 128.
The files in the repository were written by Pillow 13.0.0. Needs Pillow with WebP.
"""
import os

from PIL import Image

HERE = os.path.dirname(os.path.abspath(__file__))
W, H = 24, 16
QUARTER_TURN = 6  # EXIF orientation: upright after a quarter turn clockwise

picture = Image.new("RGB", (W, H))
picture.putdata([(10 * x, 15 * y, 128) for y in range(H) for x in range(W)])
lying = picture.transpose(Image.Transpose.ROTATE_90)  # anticlockwise
exif = Image.Exif()
exif[0x0112] = QUARTER_TURN


def save(name, image, **options):
    image.save(os.path.join(HERE, name), **options)


jpeg = dict(quality=95, subsampling=0)
save("progressive.jpg", picture, progressive=True, **jpeg)
save("cmyk.jpg", picture.convert("CMYK"), quality=95)
save("rgb.jpg", picture, quality=95, keep_rgb=True)
save("subsampled.jpg", picture, quality=95, subsampling=2)
save("restart.jpg", picture, restart_marker_blocks=2, **jpeg)
save("turned.jpg", lying, exif=exif, **jpeg)
save("turned.png", lying, exif=exif)
save("turned.webp", lying, exif=exif, lossless=True)
save("lossy.webp", picture, quality=95, method=0)
save("lossless.webp", picture, lossless=True)
save("interlaced.gif", picture.convert("P", palette=Image.Palette.ADAPTIVE), interlace=1)
