"""The rule catalogue: one module per rule, and their execution order."""

from duanka.domain.rule import Rule
from duanka.rules import (
    bank_line_stranger,
    bridged_calls,
    cards_per_holder,
    code_receiver,
    complained,
    device_changed,
    device_hopping,
    fan_out,
    fraud_prone_abroad,
    high_risk_area,
    in_ring,
    iot_misuse,
    new_card_unused,
    one_way_calls,
    outgoing_only,
    outlet_ring,
    over_frequency,
    repeat_alerts,
    shared_device,
    silent_card,
    sim_box,
    sleeping_card,
    virtual_operator_stock,
)

RULES: tuple[Rule, ...] = (
    # the four triggers of the Hebei notice
    new_card_unused.RULE,
    device_changed.RULE,
    high_risk_area.RULE,
    over_frequency.RULE,
    # abnormal cards
    sleeping_card.RULE,
    silent_card.RULE,
    cards_per_holder.RULE,
    virtual_operator_stock.RULE,
    iot_misuse.RULE,
    # signs of use for fraud
    fan_out.RULE,
    one_way_calls.RULE,
    outgoing_only.RULE,
    sim_box.RULE,
    bridged_calls.RULE,
    shared_device.RULE,
    device_hopping.RULE,
    code_receiver.RULE,
    bank_line_stranger.RULE,
    fraud_prone_abroad.RULE,
    complained.RULE,
    # what links between cards say
    in_ring.RULE,
    outlet_ring.RULE,
    # last: reads the hits of all other rules
    repeat_alerts.RULE,
)
