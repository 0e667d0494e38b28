"""Tariffs as the analyst keeps them: loaded, checked, approved, never changed; and series of prices and profiles."""
