"""What every render must keep, beyond its schemas."""
