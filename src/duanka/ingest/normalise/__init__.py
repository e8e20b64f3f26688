"""Values of a source as canonical values: numbers, times, durations."""
