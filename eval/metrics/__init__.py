"""What can be measured of answers and rankings: a module for each family. They compare, and ask nobody."""
