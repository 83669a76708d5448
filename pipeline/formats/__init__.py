"""The field's file formats, one module each: bytes on disk in, neutral arrays and labels out.

Sound has `audio`, labels have `textgrid`; every other module holds a format of articulator tracks
and offers ``read(path) -> Tracks`` and, where files of it are made, ``write(path, tracks)``. A file
that cannot be used raises an `InputError`, one line that names it and the reason.
"""
