"""What changes the classes of a head, and with them its size: kept, renamed, merged, added, put beside another's."""
