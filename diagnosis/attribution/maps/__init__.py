"""The methods of attribution, one a file: each makes a map of the image for one number."""
