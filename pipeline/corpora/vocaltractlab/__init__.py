"""The embedded corpus: speech synthesised from the very tract shapes that are its tracks.

Recordings of articulation cannot be bundled, so a fresh clone makes its own. VocalTractLab
(Birkholz 2013), a model of the vocal tract of one man (speaker JD3, from MRI), speaks random phone
strings in varied voices; its midsagittal contours give twelve fleshpoints without measurement
error, and the pellets of the X-ray microbeam database. By default a population speaks, people with
other anatomies, habits and voices, in English or German sounds. It is smoother than real
articulation: a stand-in to develop and to learn with, not a result about speech.

Layout on disk: that of the `folder` reader, in one folder. ``phonotactics`` says what is said,
``score`` how, ``speaker`` speaks it and ``synthesis`` runs that for a whole corpus. Of a population
``people`` draws everybody: ``anatomy`` the mouth, ``habits`` what is done with it, ``delivery`` how
an utterance is said.
"""

from pipeline.corpora.folder import find, read
from pipeline.corpora.layouts import BUILT_IN
from pipeline.corpora.vocaltractlab.synthesis import pictured, synthesize

__all__ = ["LAYOUT", "find", "pictured", "read", "synthesize"]

LAYOUT = BUILT_IN["fleshpoints"]
