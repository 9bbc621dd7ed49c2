#include "apps/commands/demand_plot.h"

#include <fmt/format.h>

#include <algorithm>

namespace wattseal::apps {
namespace {

std::uint64_t most_of(const std::vector<PlotPoint>& points) {
  std::uint64_t most = 1;
  for (const PlotPoint& one : points) most = std::max({most, one.actual, one.forecast.value_or(0)});
  return most;
}

}  // namespace

std::string plot_text(const std::vector<PlotPoint>& points) {
  constexpr std::uint64_t kWidth = 50;
  const std::uint64_t most = most_of(points);
  std::string text = fmt::format("{:<8} {:<{}} {:>10} {:>10}\n", "month",
                                 "# requested   | forecast", kWidth + 1, "actual", "forecast");
  for (const PlotPoint& one : points) {
    std::string bar(kWidth + 1, ' ');
    std::fill_n(bar.begin(), one.actual * kWidth / most, '#');
    if (one.forecast) bar[static_cast<std::size_t>(*one.forecast * kWidth / most)] = '|';
    text += fmt::format("{:<8} {} {:>10} {:>10}\n", one.month, bar, one.actual,
                        one.forecast ? std::to_string(*one.forecast) : "-");
  }
  return text;
}

std::string plot_tsv(const std::vector<PlotPoint>& points) {
  std::string text = "month\tactual\tforecast\tpercent\n";
  for (const PlotPoint& one : points) {
    const bool ratio = one.forecast.value_or(0) > 0;
    text += fmt::format("{}\t{}\t{}\t{}\n", one.month, one.actual,
                        one.forecast ? std::to_string(*one.forecast) : "",
                        ratio ? fmt::format("{:.2f}", 100.0 * static_cast<double>(one.actual) /
                                                          static_cast<double>(*one.forecast))
                              : "");
  }
  return text;
}

std::string plot_svg(const std::vector<PlotPoint>& points) {
  constexpr unsigned kBar = 36, kStep = 52, kHeight = 240, kLeft = 80, kTop = 30;
  const double most = static_cast<double>(most_of(points));
  const auto height = [&](std::uint64_t number) {
    return kHeight * static_cast<double>(number) / most;
  };
  const unsigned width = kLeft + kStep * static_cast<unsigned>(points.size()) + 20;
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" version=\"1.1\" width=\"{}\" height=\"{}\" "
      "font-family=\"sans-serif\" font-size=\"10\">\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
      "<text x=\"{}\" y=\"16\">Signing requests by month: bars requested, lines forecast</text>\n"
      "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\n"
      "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">0</text>\n"
      "<line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\" stroke=\"black\"/>\n",
      width, kTop + kHeight + 30, kLeft, kLeft - 6, kTop + 4, most_of(points), kLeft - 6,
      kTop + kHeight + 4, kLeft, kTop + kHeight, width - 10, kTop + kHeight);
  unsigned x = kLeft + 8;
  for (const PlotPoint& one : points) {
    svg += fmt::format(
        "<rect x=\"{}\" y=\"{:.1f}\" width=\"{}\" height=\"{:.1f}\" fill=\"#4477aa\">"
        "<title>{} requested</title></rect>\n<text x=\"{}\" y=\"{}\" "
        "text-anchor=\"middle\">{}</text>\n",
        x, kTop + kHeight - height(one.actual), kBar, height(one.actual), one.actual, x + kBar / 2,
        kTop + kHeight + 16, one.month);
    if (one.forecast) {
      const double y = kTop + kHeight - height(*one.forecast);
      svg += fmt::format(
          "<line x1=\"{}\" y1=\"{:.1f}\" x2=\"{}\" y2=\"{:.1f}\" stroke=\"#cc3311\" "
          "stroke-width=\"3\"><title>{} forecast</title></line>\n",
          x - 4, y, x + kBar + 4, y, *one.forecast);
    }
    x += kStep;
  }
  return svg + "</svg>\n";
}

}  // namespace wattseal::apps
