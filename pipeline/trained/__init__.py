"""What a trained folder is: its description, its graph, and what is done to the outputs."""
