"""What the pages of one patient and trial show: tables, plots and sentences; templates only place them."""
