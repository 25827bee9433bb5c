"""The steps, oldest first. A step that was released never changes; the next one mends what it got wrong."""
