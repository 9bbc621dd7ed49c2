// Requests against forecasts by month, drawn: in a terminal, as rows for a plotting program, as a
// picture. Private to commands. Pure.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace wattseal::apps {

struct PlotPoint {
  std::string month;  // yyyy-mm
  std::uint64_t actual = 0;
  std::optional<std::uint64_t> forecast;
};
// One line a month, '#' what was requested, '|' what was forecast.
std::string plot_text(const std::vector<PlotPoint>& points);
// Columns month, actual, forecast (empty: none), percent (empty: without forecast or of 0), with a
// header line.
std::string plot_tsv(const std::vector<PlotPoint>& points);
// Bars of what was requested, a line across each for what was forecast; SVG 1.1.
std::string plot_svg(const std::vector<PlotPoint>& points);

}  // namespace wattseal::apps
