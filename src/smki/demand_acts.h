// Acts about the demand report. Private to smki.
#pragma once
#include "smki/office_records.h"

namespace wattseal::smki {

Status check_withhold(const ActScene& scene, const nlohmann::json& payload, const Person&);
void withhold_report(const ActScene& scene, storage::Batch& batch, const nlohmann::json& payload,
                     const Act& act);
Status check_release(const ActScene& scene, const nlohmann::json& payload, const Person&);
void release_report(const ActScene& scene, storage::Batch& batch, const nlohmann::json& payload,
                    const Act& act);

}  // namespace wattseal::smki
