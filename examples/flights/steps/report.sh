#!/bin/sh
# `metrics.json` -> `reports/report.md`, with nothing but sed and awk.
set -eu

mkdir -p reports
sed -n 's/^ *"\([a-z_]*\)": \([-0-9.]*\),*$/\1 \2/p' metrics.json |
awk '
  { value[$1] = $2 }
  END {
    print "# Will a flight from New York arrive more than 15 minutes late?\n"
    printf "Asked when it is to leave. Judged on %d flights that the model had not seen, of which\n", value["n"]
    printf "%.1f %% were late.\n\n", 100 * value["late_share"]
    print "| | value | 95 % interval |\n|---|---:|---:|"
    printf "| area under the ROC curve | %.3f | %.3f to %.3f |\n", value["auc"], value["auc_low"], value["auc_high"]
    printf "| Brier score | %.4f | |\n", value["brier"]
    printf "| log loss | %.4f | |\n", value["log_loss"]
  }' > reports/report.md
cat reports/report.md
