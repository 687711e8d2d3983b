"""A recorded session in the console: the same screen, with events and sound out of a bundle."""
