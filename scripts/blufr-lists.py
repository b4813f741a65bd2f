#!/usr/bin/env python3
"""The lists of the BLUFR benchmark as a CSV file for fv-eval blufr --lists.

  python scripts/blufr-lists.py blufr_lfw_config.mat > blufr.csv

The benchmark's configuration holds imageList (file names), and testIndex, galIndex and probIndex, one cell of
numbers from 1 for each trial. Images become name/name_0001.jpg, as LFW has them. Needs scipy.
"""
import csv
import re
import sys

from scipy.io import loadmat

if len(sys.argv) != 2:
    sys.exit(__doc__)
config = loadmat(sys.argv[1])
images = [str(cell.ravel()[0]) for cell in config["imageList"].ravel()]
names = [f"{re.sub(r'_[0-9]+[.].*$', '', i)}/{i}" for i in images]
out = csv.writer(sys.stdout, lineterminator="\n")
out.writerow(["trial", "set", "name"])
for variable, kind in (("testIndex", "test"), ("galIndex", "gallery"), ("probIndex", "probe")):
    for trial, cell in enumerate(config[variable].ravel(), 1):
        for i in cell.ravel():
            out.writerow([trial, kind, names[int(i) - 1]])
