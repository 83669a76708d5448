"""Arrays in, arrays out: MFCCs, articulator tracks and the frame grid that both share.

No disk, no TensorFlow, no command line.
"""
