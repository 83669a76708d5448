"""What a trained folder is: its description, its graph, and the steps from outputs to tracks."""
