"""What people and programs see: cards, a text report, exact JSON. Pure functions of an outcome."""
