#!/bin/sh
# `metrics.json` -> `reports/report.md`, with nothing but awk.
set -eu

mkdir -p reports
awk '
  { gsub(/[",:]/, "") }
  NF == 2 { value[$1] = $2 }
  END {
    if (!value["n"]) exit 1
    print "# Will a flight from New York arrive more than 15 minutes late?\n"
    print "Asked when it is scheduled to leave, not knowing whether it has."
    printf "Judged on %d flights that the model had not seen, of which %.1f %% were late.\n\n", value["n"], 100 * value["late_share"]
    print "| | value | 95 % interval |\n|---|---:|---:|"
    printf "| area under the ROC curve | %.3f | %.3f to %.3f |\n", value["auc"], value["auc_low"], value["auc_high"]
    printf "| Brier score | %.4f | %.4f to %.4f |\n", value["brier"], value["brier_low"], value["brier_high"]
  }' metrics.json > reports/report.md
cat reports/report.md
