"""Screens: the console itself and the ones that open over it."""
