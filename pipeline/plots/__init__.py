"""Pictures: plain arrays in, a Matplotlib figure out; `style.save` alone knows the disk."""
