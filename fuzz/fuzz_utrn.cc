// Prepayment codes: any text is refused or read; what is made is read back and accepted once.
#include "base/check.h"
#include "gbcs/utrn.h"

using namespace wattseal;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const crypto::SharedSecret secret{};
  const Eui64 supplier = Eui64::from_number(1), meter = Eui64::from_number(2);
  const std::string_view text = as_text({data, size});
  const Result<gbcs::UtrnFields> read = gbcs::parse_utrn(text);
  const Result<OriginatorCounter> judged =
      gbcs::verify_utrn(secret, supplier, meter, OriginatorCounter(0), text);
  CHECK(read.ok() || !judged.ok());
  if (size < 7) return 0;
  const std::uint64_t high = get_be({data, 4});
  const unsigned value = static_cast<unsigned>(get_be({data + 4, 2}));
  const gbcs::UtrnRequest request{
      supplier, meter, OriginatorCounter(high << 32),
      (data[6] & 1) != 0 ? gbcs::UtrnUnit::pounds : gbcs::UtrnUnit::pence, value};
  const Result<std::string> made = gbcs::make_utrn(secret, request);
  CHECK(made.ok() == (value <= 8191));
  if (!made.ok() || high == 0) return 0;
  const OriginatorCounter before((high - 1) << 32);
  const Result<OriginatorCounter> used = gbcs::verify_utrn(secret, supplier, meter, before, *made);
  CHECK(used.ok() && *used == request.counter);
  const Result<OriginatorCounter> again = gbcs::verify_utrn(secret, supplier, meter, *used, *made);
  CHECK(!again.ok());
  return 0;
}
