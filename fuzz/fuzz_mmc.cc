// MMC: any answer becomes a well-formed document or is refused, and no value is counted twice. The
// first octet chooses the message code, the second kind and service; the rest is the payload.
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "gbcs/mmc.h"
#include "terms/terms.h"

using namespace wattseal;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3 || size > 16'384) return 0;
  const UseCaseRow& row = use_cases()[data[0] % use_cases().size()];
  gbcs::Message message;
  message.cra = (data[1] & 1) != 0 ? gbcs::Cra::alert : gbcs::Cra::response;
  message.code = gbcs::MessageCode(row.message_code);
  message.payload.assign(data + 2, data + size);
  const bool closed = (data[1] & 2) != 0;
  const gbcs::Opener open = [closed](const gbcs::Message&, BytesView blob) -> Result<Bytes> {
    if (closed) return Refusal{"gbcs-no-key"_rule, "closed"};
    return to_bytes(blob.subspan(std::min<std::size_t>(5, blob.size())));
  };
  const Result<gbcs::Mmc> mmc =
      gbcs::to_mmc(message, open, (data[1] & 4) != 0 ? row.variant : std::string_view());
  if (!mmc.ok()) return 0;
  CHECK(mmc->mapped + mmc->placeless <= mmc->values);
  const std::string text = gbcs::write(*mmc);
  if (text.size() < 1'000'000) CHECK(xml::parse(text).ok());
  (void)gbcs::json_of(*mmc).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return 0;
}
