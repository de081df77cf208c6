"""Renders everything in deploy/ and checks it."""
