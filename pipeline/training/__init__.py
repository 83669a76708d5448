"""All that decides what `trained` holds: epochs, device, variation, how tracks are finished."""
