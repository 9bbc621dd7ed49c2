// Which firmware images of which device models are certified: the part of the Certified Products
// List that pre-notification and firmware distribution go by. Rows come in files that the DCC's
// office lodges (docs/formats/products_file.md); each row carries the signature of its hash by an
// organisation whose certificate is in the repository. Durable when lodge() returns; all rows of a
// file or none. Threads: any. Rules: products-file, products-signature. Source: spec/smki.md 9.3,
// 9.4; ¶130, ¶132.
#pragma once
#include <map>

#include "base/world.h"
#include "crypto/crypto.h"
#include "smki/repository.h"
#include "storage/changes.h"
#include "terms/facts.h"
#include "terms/terms.h"

namespace wattseal::gateway {

struct Product {
  std::string manufacturer, model, firmware_version;  // as DUIS writes them
  DeviceType type = DeviceType::esme;
  crypto::Digest image_digest{};  // SHA-256 of the image
  std::string gbcs_version, technical_version;
  std::string status = "Active";  // Active, Cancelled, Expired, Withdrawn
  CertificateSerial signer;
  bool active() const { return status == "Active"; }
  friend bool operator==(const Product&, const Product&) = default;
};

class Products {
 public:
  Products(const World& world, storage::Store& store, const smki::Repository& repository);
  // CSV with the columns of the format's page; what has been listed before is replaced. Returns how
  // many rows.
  Result<std::size_t> lodge(std::string_view csv, TraceId trace);
  std::optional<Product> find(std::string_view manufacturer, std::string_view model,
                              std::string_view firmware_version) const;
  // The version of the model whose image this is.
  std::optional<Product> by_image(std::string_view manufacturer, std::string_view model,
                                  const crypto::Digest& image) const;
  std::vector<Product> all(std::size_t most) const;
  // What a product-listed fact did to the table. Throws Fault when it lacks a field.
  static void replay(storage::Changes& rows, const FactView& fact);

 private:
  Status check_signature(const Product& product, BytesView signature, std::size_t line) const;

  const World& world_;
  storage::Store& store_;
  const smki::Repository& repository_;
};

// What the signature of a row is over: the digest, then the manufacturer, model and firmware
// version, each ended by a zero octet.
Bytes signed_product(const Product& product);

}  // namespace wattseal::gateway
