// The results of a batch as one file: JSON lines or CSV, a row each, or the certificates as a PEM
// bundle or ZIP archive. The octets follow from the batch's rows alone: once every row has its
// answer they never change, so a download may be resumed by ranges under one entity tag. Private to
// smki. Rules: results-form, results-range. Source: K-07.
#pragma once
#include "http/http.h"
#include "smki/ra.h"
#include "smki/repository.h"

namespace wattseal::smki {

enum class ResultsForm { json_lines, csv, pem, zip };
Result<ResultsForm> results_form(std::string_view name);  // "jsonl", "csv", "pem", "zip"

struct ResultsWanted {
  ResultsForm form = ResultsForm::json_lines;
  std::uint32_t from = 0, rows_max = 0;
};
std::string results_file(const RegistrationAuthority& authority, const Repository& repository,
                         const BatchStatus& status, const ResultsWanted& wanted);

// 200, or 206 for the one range that Range asks for, when If-Range does not name another file; 304
// when If-None-Match names this one. A malformed Range is as none. Source: RFC 9110 13, 14.
http::Response answer_file(const http::Request& request, ResultsForm form, std::string content);

}  // namespace wattseal::smki
