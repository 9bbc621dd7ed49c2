// nlohmann::json, compiled once. Its templates cost more than most of our files: what nearly every
// user of it needs is instantiated in json.cc, and declared so here.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#ifndef WATTSEAL_JSON_HOME
#define WATTSEAL_JSON_HOME extern
#endif

NLOHMANN_JSON_NAMESPACE_BEGIN
WATTSEAL_JSON_HOME template class basic_json<>;

namespace detail {
using TextInput = iterator_input_adapter<std::string::const_iterator>;
using ViewInput = iterator_input_adapter<const char*>;
WATTSEAL_JSON_HOME template class serializer<json>;
WATTSEAL_JSON_HOME template class json_sax_dom_parser<json>;
WATTSEAL_JSON_HOME template class json_sax_dom_callback_parser<json>;
WATTSEAL_JSON_HOME template class lexer_base<json>;
WATTSEAL_JSON_HOME template class lexer<json, TextInput>;
WATTSEAL_JSON_HOME template class lexer<json, ViewInput>;
WATTSEAL_JSON_HOME template class parser<json, TextInput>;
WATTSEAL_JSON_HOME template class parser<json, ViewInput>;
WATTSEAL_JSON_HOME template bool parser<json, TextInput>::sax_parse_internal(
    json_sax_dom_parser<json>*);
WATTSEAL_JSON_HOME template bool parser<json, TextInput>::sax_parse_internal(
    json_sax_dom_callback_parser<json>*);
WATTSEAL_JSON_HOME template bool parser<json, ViewInput>::sax_parse_internal(
    json_sax_dom_parser<json>*);
WATTSEAL_JSON_HOME template bool parser<json, ViewInput>::sax_parse_internal(
    json_sax_dom_callback_parser<json>*);
}  // namespace detail

WATTSEAL_JSON_HOME template json json::parse<const std::string&>(const std::string&,
                                                                 const parser_callback_t,
                                                                 const bool, const bool);
WATTSEAL_JSON_HOME template json json::parse<std::string>(std::string&&, const parser_callback_t,
                                                          const bool, const bool);
WATTSEAL_JSON_HOME template json json::parse<std::string_view&>(std::string_view&,
                                                                const parser_callback_t, const bool,
                                                                const bool);
WATTSEAL_JSON_HOME template json json::parse<const std::string_view&>(const std::string_view&,
                                                                      const parser_callback_t,
                                                                      const bool, const bool);
NLOHMANN_JSON_NAMESPACE_END
