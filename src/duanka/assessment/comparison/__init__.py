"""Fair comparison of units of unequal size: funnel limits, shrinkage, intervals, CUSUM, the criterion of listing."""
