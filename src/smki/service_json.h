// How the SMKI services write answers and refusals as JSON. Private to smki.
#pragma once
#include <nlohmann/json.hpp>

#include "http/http.h"
#include "terms/terms.h"

namespace wattseal::smki {

inline http::Response json_answer(int status, const nlohmann::json& body) {
  // What is quoted from a peer may be in any encoding.
  return {status,
          "application/json",
          body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n",
          {}};
}

// Rule, what it means, what was found, where, how to mend it, and the trace that finds it in the
// log.
nlohmann::json refusal_body(std::string_view rule, std::string_view detail, std::string_view field,
                            TraceId trace);
http::Response refuse(const Refusal& refusal, TraceId trace);

std::optional<std::uint64_t> read_number(std::string_view decimal);

}  // namespace wattseal::smki
