"""The worklist's comings and goings: what is taken into it, judged again, and opened."""
