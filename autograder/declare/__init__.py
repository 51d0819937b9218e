"""What a homework declares; the interface of an author."""
