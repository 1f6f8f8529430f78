"""What can be measured of answers, rankings and predictions: a module a family."""
