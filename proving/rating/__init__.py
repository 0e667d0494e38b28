"""Rating, judged from outside: a slow oracle, random tariffs and usages, and the comparison with the engine."""
