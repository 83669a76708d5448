"""Pictures: plain arrays in, a Matplotlib figure out; `style.save` alone knows the disk."""

import logging

# a home directory that cannot be written to is no news to those who want a picture
logging.getLogger("matplotlib").setLevel(logging.ERROR)
