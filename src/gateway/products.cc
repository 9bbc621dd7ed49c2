#include "gateway/products.h"

#include "base/fault.h"
#include "terms/tables.h"
#include "x509/x509.h"

namespace wattseal::gateway {
namespace {

constexpr std::string_view kHeading =
    "type,manufacturer,model,firmware_version,image_sha256,gbcs_version,technical_version,status,"
    "signer_serial,signature";
constexpr std::size_t kColumns = 10;

Bytes key_of_product(std::string_view manufacturer, std::string_view model,
                     std::string_view version) {
  Bytes key = to_bytes(as_bytes(manufacturer));
  key.push_back(0);
  append(key, as_bytes(model));
  key.push_back(0);
  append(key, as_bytes(version));
  return key;
}

Bytes to_record(const Product& product) {
  return RecordWriter()
      .number(static_cast<std::uint64_t>(product.type))
      .octets(product.image_digest)
      .text(product.gbcs_version)
      .text(product.technical_version)
      .text(product.status)
      .text(product.signer.hex())
      .bytes();
}

std::optional<crypto::Digest> digest_of(BytesView octets) {
  crypto::Digest digest{};
  if (octets.size() != digest.size()) return std::nullopt;
  std::ranges::copy(octets, digest.begin());
  return digest;
}

std::vector<std::string> split(std::string_view text, char at) {
  std::vector<std::string> parts;
  while (true) {
    const std::size_t end = text.find(at);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

Product from_row(BytesView key, BytesView value) {
  const std::vector<std::string> names = split(as_text(key), '\0');
  if (names.size() != 3) throw Fault("a stored product's key has the wrong shape");
  Product product;
  product.manufacturer = names[0];
  product.model = names[1];
  product.firmware_version = names[2];
  RecordReader record(value);
  product.type = static_cast<DeviceType>(record.number());
  const std::optional<crypto::Digest> digest = digest_of(record.octets());
  if (!digest) throw Fault("a stored product's digest has the wrong length");
  product.image_digest = *digest;
  product.gbcs_version = record.text();
  product.technical_version = record.text();
  product.status = record.text();
  const Result<CertificateSerial> signer = CertificateSerial::parse_hex(record.text());
  if (!signer.ok()) throw Fault("a stored product's signer is no serial number");
  product.signer = *signer;
  return product;
}

bool is_status(std::string_view text) {
  return text == "Active" || text == "Cancelled" || text == "Expired" || text == "Withdrawn";
}

struct SignedRow {
  Product product;
  Bytes signature;
};

Result<SignedRow> read_row(std::string_view line, std::size_t number) {
  const auto refused = [number](const char* column, const std::string& found) {
    return Refusal{"products-file"_rule, found, "line " + std::to_string(number) + "/" + column};
  };
  const std::vector<std::string> cells = split(line, ',');
  if (cells.size() != kColumns)
    return refused("columns", std::to_string(cells.size()) + " columns");
  SignedRow row;
  Product& product = row.product;
  const std::optional<DeviceType> type = device_type(cells[0]);
  if (!type) return refused("type", cells[0]);
  product.type = *type;
  product.manufacturer = cells[1];
  product.model = cells[2];
  product.firmware_version = cells[3];
  if (product.model.empty() || product.firmware_version.empty())
    return refused("model", "a model or version is empty");
  const std::optional<Bytes> octets = from_hex(cells[4]);
  const std::optional<crypto::Digest> digest = octets ? digest_of(*octets) : std::nullopt;
  if (!digest) return refused("image_sha256", cells[4]);
  product.image_digest = *digest;
  product.gbcs_version = cells[5];
  product.technical_version = cells[6];
  if (!is_status(cells[7])) return refused("status", cells[7]);
  product.status = cells[7];
  const Result<CertificateSerial> signer = CertificateSerial::parse_hex(cells[8]);
  if (!signer.ok()) return refused("signer_serial", cells[8]);
  product.signer = *signer;
  const std::optional<Bytes> signature = from_base64(cells[9]);
  if (!signature || signature->size() != 64)
    return refused("signature", "it is not 64 octets in base64");
  row.signature = *signature;
  return row;
}

}  // namespace

Bytes signed_product(const Product& product) {
  Bytes out = to_bytes(product.image_digest);
  for (const std::string* const text :
       {&product.manufacturer, &product.model, &product.firmware_version}) {
    append(out, as_bytes(*text));
    out.push_back(0);
  }
  return out;
}

Products::Products(const World& world, storage::Store& store, const smki::Repository& repository)
    : world_(world), store_(store), repository_(repository) {}

Status Products::check_signature(const Product& product, BytesView signature,
                                 std::size_t line) const {
  const std::string where = "line " + std::to_string(line);
  const Result<smki::PublishedCertificate> signer = repository_.by_serial(product.signer);
  if (!signer.ok() || signer->device() || signer->use != KeyUse::digital_signature ||
      signer->status != smki::CertificateStatus::in_use)
    return Refusal{
        "products-signature"_rule,
        "no organisation's signing certificate in use has serial " + product.signer.hex(),
        where + "/signer_serial"};
  TRY_ASSIGN(const x509::Certificate certificate, x509::parse_certificate(signer->der));
  crypto::Signature octets{};
  std::ranges::copy(signature, octets.begin());
  if (!crypto::verify(certificate.key, crypto::sha256(signed_product(product)), octets))
    return Refusal{"products-signature"_rule, "it does not verify", where + "/signature"};
  return {};
}

Result<std::size_t> Products::lodge(std::string_view csv, TraceId trace) {
  std::vector<std::string> lines = split(csv, '\n');
  for (std::string& line : lines) {
    if (line.ends_with('\r')) line.pop_back();
  }
  if (lines.front() != kHeading)
    return Refusal{"products-file"_rule, "the heading is another", "line 1"};
  storage::Batch batch;
  std::size_t count = 0;
  for (std::size_t i = 1; i < lines.size(); ++i) {
    if (lines[i].empty()) continue;
    if (++count > limit("products_file_rows_max"))
      return Refusal{"products-file"_rule, "there are too many rows",
                     "line " + std::to_string(i + 1)};
    TRY_ASSIGN(const SignedRow row, read_row(lines[i], i + 1));
    TRY(check_signature(row.product, row.signature, i + 1));
    const Product& product = row.product;
    batch.put(tables::products,
              key_of_product(product.manufacturer, product.model, product.firmware_version),
              to_record(product));
    batch.append(FactWriter(FactKind::product_listed, world_.now(), trace)
                     .text(FactField::manufacturer, product.manufacturer)
                     .text(FactField::model, product.model)
                     .text(FactField::firmware_version, product.firmware_version)
                     .text(FactField::device_type, text(product.type))
                     .octets(FactField::image_digest, product.image_digest)
                     .text(FactField::gbcs_version, product.gbcs_version)
                     .text(FactField::technical_version, product.technical_version)
                     .text(FactField::to_status, product.status)
                     .octets(FactField::signer_serial, product.signer.octets())
                     .octets(FactField::signature, row.signature)
                     .bytes());
  }
  if (count == 0) return Refusal{"products-file"_rule, "there is no row", "line 2"};
  TRY(store_.commit(std::move(batch)));
  return count;
}

void Products::replay(storage::Changes& rows, const FactView& fact) {
  const std::optional<DeviceType> type = device_type(fact.text(FactField::device_type));
  const std::optional<BytesView> octets = fact.find(FactField::image_digest);
  const std::optional<crypto::Digest> digest = octets ? digest_of(*octets) : std::nullopt;
  const Result<CertificateSerial> signer =
      CertificateSerial::from_octets(fact.find(FactField::signer_serial).value_or(BytesView()));
  if (!type || !digest || !signer.ok()) throw Fault("a product's fact lacks a field");
  Product product;
  product.type = *type;
  product.image_digest = *digest;
  product.gbcs_version = std::string(fact.text(FactField::gbcs_version));
  product.technical_version = std::string(fact.text(FactField::technical_version));
  product.status = std::string(fact.text(FactField::to_status));
  product.signer = *signer;
  rows.put(tables::products,
           key_of_product(fact.text(FactField::manufacturer), fact.text(FactField::model),
                          fact.text(FactField::firmware_version)),
           to_record(product));
}

std::optional<Product> Products::find(std::string_view manufacturer, std::string_view model,
                                      std::string_view firmware_version) const {
  const Bytes key = key_of_product(manufacturer, model, firmware_version);
  const std::optional<Bytes> row = store_.get(tables::products, key);
  return row ? std::optional(from_row(key, *row)) : std::nullopt;
}

std::optional<Product> Products::by_image(std::string_view manufacturer, std::string_view model,
                                          const crypto::Digest& image) const {
  const Bytes prefix = key_of_product(manufacturer, model, {});
  std::optional<Product> found;
  store_.scan(tables::products, prefix, storage::prefix_end(prefix),
              [&](BytesView key, BytesView value) {
                Product one = from_row(key, value);
                if (one.image_digest == image) found = std::move(one);
                return !found;
              });
  return found;
}

std::vector<Product> Products::all(std::size_t most) const {
  std::vector<Product> products;
  store_.scan(tables::products, {}, {}, [&](BytesView key, BytesView value) {
    if (products.size() < most) products.push_back(from_row(key, value));
    return products.size() < most;
  });
  return products;
}

}  // namespace wattseal::gateway
