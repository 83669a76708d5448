"""From sound to files of tracks, with a trained folder alone: no TensorFlow, no corpus."""
