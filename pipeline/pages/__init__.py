"""The HTML pages: the browser of utterances and the report around it."""
