"""How work is spread over processes or machines. An engine knows no patient: it maps a function over parts."""
