// Acts that change the maintenance calendar. Private to smki.
#pragma once
#include "smki/office_records.h"

namespace wattseal::smki {

Status check_maintenance(const ActScene& scene, const nlohmann::json& payload, const Person&);
void plan_maintenance(const ActScene& scene, storage::Batch& batch, const nlohmann::json& payload,
                      const Act& act);
Status check_cancel(const ActScene& scene, const nlohmann::json& payload, const Person&);
void cancel_maintenance(const ActScene& scene, storage::Batch& batch, const nlohmann::json& payload,
                        const Act& act);

}  // namespace wattseal::smki
