// What the DCC's own systems answer: the inventory from announcement to decommissioning, firmware
// from the list of certified products to activation, coverage, customer numbers.
#include "apps/rebuild.h"
#include "tests/scenarios/rig.h"

namespace wattseal::scenarios {
namespace {

class Services : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    net_ = std::make_unique<Network>();
    keys_ = crypto::memory_key_store();
    signing_ = crypto::generate_one(*keys_, "products.ds").value();
    signer_ =
        net_->platform
            ->obtain(apps::DccParty::party,
                     apps::organisation_request(apps::DccParty::recovery, RemotePartyRole::recovery,
                                                KeyUse::digital_signature, *signing_))
            .value()
            .serial;
  }
  static void TearDownTestSuite() {
    net_.reset();
    signing_.reset();
    keys_.reset();
  }
  static Network& net() { return *net_; }
  static apps::ServiceUser& user() { return *net_->supplier; }
  static duis::ServiceResponse ask(apps::ServiceUser& by, std::string_view variant,
                                   std::vector<xml::Element> children) {
    return by.acknowledge(net().ask_dcc(by, variant, body_of(std::move(children)))).value();
  }
  static duis::ServiceResponse ask(std::string_view variant, std::vector<xml::Element> children) {
    return ask(user(), variant, std::move(children));
  }
  static xml::Element id(Eui64 device) { return leaf("DeviceID", device.text()); }
  static xml::Element node(const char* name, std::vector<xml::Element> children) {
    xml::Element out = leaf(name);
    out.children = std::move(children);
    return out;
  }
  static DeviceStatus status(Eui64 device) {
    return net().platform->inventory().find(device).value().status;
  }
  static std::string text_of(const xml::Element& parent, const char* name) {
    const xml::Element* const child = parent.child(name);
    return child ? std::string(child->trimmed()) : std::string();
  }

  // A row of the file, signed by an organisation.
  static std::string row(gateway::Product product) {
    product.signer = signer_;
    const crypto::Signature signature =
        signing_->sign(crypto::sha256(gateway::signed_product(product)));
    return std::string(text(product.type)) + "," + product.manufacturer + "," + product.model +
           "," + product.firmware_version + "," + to_hex(product.image_digest) + "," +
           product.gbcs_version + "," + product.technical_version + "," + product.status + "," +
           product.signer.hex() + "," + to_base64(signature) + "\n";
  }
  static std::string file(const std::string& rows) {
    return "type,manufacturer,model,firmware_version,image_sha256,gbcs_version,technical_version,"
           "status,signer_serial,signature\n" +
           rows;
  }
  static gateway::Product product(DeviceType type, const std::string& model,
                                  const std::string& version, BytesView image,
                                  const std::string& gbcs = "4.1") {
    return {"Maker", model, version, type, crypto::sha256(image), gbcs, "V5.1", "Active", {}};
  }

  static std::unique_ptr<Network> net_;
  static std::unique_ptr<crypto::KeyStore> keys_;
  static crypto::KeyHandle signing_;
  static CertificateSerial signer_;
};
std::unique_ptr<Network> Services::net_;
std::unique_ptr<crypto::KeyStore> Services::keys_;
crypto::KeyHandle Services::signing_;
CertificateSerial Services::signer_;

const Eui64 kHub = Eui64::from_number(0x0057530000001000),
            kProxy = Eui64::from_number(0x0057530000001001),
            kMeter = Eui64::from_number(0x0057530000001002);

TEST_F(Services, TheListTakesSignedRowsOnly) {
  gateway::Products& products = net().platform->gateway().products();
  const std::string good =
      row(product(DeviceType::esme, "EM-9", "00000001", as_bytes("one"), "3.2"));
  EXPECT_EQ(products.lodge("nonsense", {}).refusal().rule.text(), "products-file");
  std::string changed = good;
  changed.replace(changed.find("EM-9"), 4, "EM-8");
  EXPECT_EQ(products.lodge(file(good + changed), {}).refusal().rule.text(), "products-signature");
  EXPECT_FALSE(products.find("Maker", "EM-9", "00000001")) << "all rows or none";
  ASSERT_EQ(products.lodge(file(good), {}).value(), 1u);
  EXPECT_TRUE(products.find("Maker", "EM-9", "00000001"));
  EXPECT_FALSE(products.find("Maker", "EM-8", "00000001"));
}

TEST_F(Services, ADeviceIsAnnouncedReadCorrectedAndDeleted) {
  gateway::Products& products = net().platform->gateway().products();
  ASSERT_TRUE(
      products
          .lodge(file(row(product(DeviceType::esme, "EM-9", "00000001", as_bytes("one"), "3.2")) +
                      row(product(DeviceType::chf, "CH-9", "00000001", as_bytes("hub")))),
                 {})
          .ok());
  const auto announce = [](Eui64 device, const char* type, const char* model) {
    return std::vector<xml::Element>{id(device),
                                     leaf("DeviceManufacturer", "Maker"),
                                     leaf("DeviceModel", model),
                                     leaf("DeviceType", type),
                                     leaf("SMETSCHTSVersion", "V5.1"),
                                     leaf("FirmwareVersion", "00000001")};
  };
  EXPECT_EQ(ask("12.2", announce(kMeter, "ESME", "EM-7")).response_code, "E120203");
  std::vector<xml::Element> meter = announce(kMeter, "ESME", "EM-9");
  meter.push_back(leaf("ESMEVariant", "BD"));
  EXPECT_EQ(ask("12.2", meter).response_code, "I0");
  EXPECT_EQ(ask("12.2", meter).response_code, "E120201");
  std::vector<xml::Element> hub = announce(kHub, "CHF", "CH-9");
  hub.push_back(leaf("AssociatedGPFDeviceID", kProxy.text()));
  EXPECT_EQ(ask("12.2", hub).response_code, "I0");
  EXPECT_TRUE(net().platform->inventory().find(kMeter)->older_generation());

  const duis::ServiceResponse read = ask("8.2", {id(kMeter)});
  ASSERT_EQ(read.response_code, "I0");
  const xml::Element& shown = read.other->children.at(0);
  EXPECT_EQ(text_of(shown, "DeviceStatus"), "Pending");
  EXPECT_EQ(text_of(shown, "ESMEVariant"), "BD");
  EXPECT_EQ(text_of(shown, "DeviceGBCSVersion"), "3.2");
  EXPECT_EQ(text_of(shown, "CPLStatus"), "Active");
  EXPECT_EQ(ask("8.2", {id(kHub)}).other->children.size(), 2u) << "the hub and its proxy";
  EXPECT_EQ(ask("8.2", {leaf("MPxN", net().home().mpan.text())}).other->children.size(), 4u);
  EXPECT_EQ(ask("8.2", {leaf("UPRN", "12")}).response_code, "E080201");

  EXPECT_EQ(ask("8.4", {id(kMeter), leaf("UpdateDeviceStatusCH", "Commissioned")}).response_code,
            "E080405");
  EXPECT_EQ(ask("8.4", {id(kMeter), leaf("UpdateDeviceStatusExceptCH", "InstalledNotCommissioned")})
                .response_code,
            "I0");
  EXPECT_EQ(status(kMeter), DeviceStatus::installed_not_commissioned);
  EXPECT_EQ(ask("8.4", {id(kMeter), leaf("DeleteDevice")}).response_code, "E5");
  EXPECT_EQ(ask("8.3", {id(kMeter)}).response_code, "I0");
  EXPECT_EQ(ask("8.4", {id(kMeter), leaf("UpdateDeviceStatusExceptCH", "Pending")}).response_code,
            "I0");
  EXPECT_EQ(ask("8.4", {id(kMeter), leaf("DeleteDevice")}).response_code, "I0");
  EXPECT_FALSE(net().platform->inventory().find(kMeter).ok());
  EXPECT_EQ(ask("8.3", {id(kMeter)}).response_code, "E19");
}

TEST_F(Services, AHubIsInstalledAndReturned) {
  const auto install = [](const std::string& point) {
    return std::vector<xml::Element>{id(kHub), leaf("CHFInstallType", "New CHF Install"),
                                     leaf("MPxN", point), leaf("AerialInstall", "false"),
                                     leaf("CHFLocation", "Deep indoors")};
  };
  const duis::ServiceResponse strange = ask("8.14.1", install("9999999999999"));
  EXPECT_EQ(strange.response_code, "E081402");
  EXPECT_EQ(ask("8.14.1", install(net().home().mpan.text())).response_code, "I0");
  EXPECT_EQ(status(kHub), DeviceStatus::commissioned);
  EXPECT_EQ(status(kProxy), DeviceStatus::commissioned);
}

TEST_F(Services, CoverageIsByPostcode) {
  const duis::ServiceResponse found =
      ask("12.1",
          {node("PartialAddress", {leaf("PostCode", "SW1A 1AA"), leaf("AddressIdentifier", "1")})});
  ASSERT_EQ(found.response_code, "I0");
  EXPECT_EQ(text_of(*found.other->child("DSPWANMatrixResponse"), "CSPRegion"), "South");
  EXPECT_EQ(ask("12.1", {leaf("UPRN", "12")}).response_code, "E120101");
}

TEST_F(Services, ACustomerNumberIsOnTheMeterAndInTheAnswer) {
  const std::unique_ptr<apps::ServiceUser> other =
      net().add("Fir", 0x9057530000040000, "agent", RemotePartyRole::other, {UserRole::other_user});
  other->remember(net().home().esme, DeviceType::esme);
  const apps::Exchange done =
      other->send(other->request(net().home().esme, "9.1", 1, {}, other->next_counter()), kPatience)
          .value();
  ASSERT_EQ(done.acknowledgement, "I99") << done.rule;
  ASSERT_TRUE(done.response && done.response->other);
  EXPECT_EQ(done.response->other->name, "CINMessage");
  EXPECT_EQ(text_of(*done.response->other, "CustomerIdentificationNumber").size(), 4u);
}

TEST_F(Services, FirmwareReachesTheMeterOnlyWhenItIsCertifiedAndIsActivatedByItsSupplier) {
  Network& net = Services::net();
  const Eui64 meter = net.home().esme;
  Bytes image(100'000);
  for (std::size_t i = 0; i < image.size(); ++i) image[i] = static_cast<Octet>(i * 7);
  const gateway::Product certified = product(DeviceType::esme, "EM-1", "00000002", image);
  ASSERT_TRUE(net.platform->gateway().products().lodge(file(row(certified)), {}).ok());
  ASSERT_TRUE(net.platform->inventory()
                  .apply({{.device = meter, .event = "updated", .manufacturer = "Maker"}}, {})
                  .ok());
  const auto update = [&](BytesView octets, const std::string& devices) {
    return std::vector<xml::Element>{leaf("FirmwareImage", to_base64(octets)),
                                     leaf("FirmwareVersion", "00000002"),
                                     leaf("DeviceIDList", devices)};
  };
  Bytes forged = image;
  forged[50'000] ^= 1;
  EXPECT_EQ(ask("11.1", update(forged, meter.text())).response_code, "E110102");
  EXPECT_EQ(ask(*net.other, "11.1", update(image, meter.text())).response_code, "E110101");
  const std::size_t notices = user().notices().size(), alerts = user().alerts().size();
  const duis::ServiceResponse some =
      ask("11.1", update(image, meter.text() + "," + net.home().gsme.text()));
  EXPECT_EQ(some.response_code, "W110101");
  EXPECT_EQ(text_of(*some.other, "NotCommissionedDeviceIDList"), net.home().gsme.text());

  ASSERT_TRUE(user().wait_for_notice(notices + 1, kPatience));
  EXPECT_EQ(user().notices().back().dcc_alert_code, "N22");
  ASSERT_TRUE(user().wait_for_alert(alerts + 1, kPatience)) << "the meter verified the image";
  EXPECT_EQ(user().alerts().back().alert_code, "8F72");

  const duis::ServiceRequest activate = user().request(
      meter, "11.3", 4, body_of({leaf("FirmwareHash", to_hex(certified.image_digest))}),
      user().next_counter());
  const Bytes pre_command = user().transform(activate).value();
  const apps::Exchange done = user().sign_and_send(activate, pre_command, kPatience).value();
  ASSERT_TRUE(done.parsed.has_value()) << done.rule;
  EXPECT_EQ(net.street->display(meter).firmware, "00000002");
  EXPECT_EQ(net.platform->inventory().find(meter)->firmware_version, "00000002");
}

TEST_F(Services, FactsMakeTheTablesAgain) {
  const std::unique_ptr<storage::Store> again = storage::memory_store();
  EXPECT_TRUE(apps::rebuild(net().world, net().platform->store(), *again).value().status().ok());
}

}  // namespace
}  // namespace wattseal::scenarios
