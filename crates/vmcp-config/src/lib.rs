//! Text to a validated configuration; every finding with line and column.
