// Facts as people and other systems may see them: personal particulars are replaced unless they are
// asked for. Which particulars of an act are shown is a row of data/payload_fields.tsv; names
// become the number of the person where the fact has it. The journal itself is never changed: its
// chain is over every octet, so a backup or a hand-over holds everything. Pure. Threads: any.
#pragma once
#include "terms/facts.h"

namespace wattseal::apps {

enum class People { withheld, shown };
std::vector<FactFieldView> describe(const FactView& fact, People people);
// Whether a particular of an act is shown without people.
bool is_shown(std::string_view payload_field);

}  // namespace wattseal::apps
