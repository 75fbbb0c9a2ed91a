"""What a channel knows better at the time of a call, in the inputs of a recommendation."""

from collections.abc import Mapping
from dataclasses import replace

from nbo.bundle import Bundle, Overridden, check_context, override
from nbo.bundle.context import with_context_of
from nbo.decisions.recommender import AccountInputs
from nbo.features import CompiledFeatures
from nbo.features.context import ContextValue


def inputs_in_context(
    inputs: AccountInputs, bundle: Bundle, rules: CompiledFeatures, context: Mapping[str, ContextValue]
) -> AccountInputs:
    """The inputs of an account with what the channel says in place of what the data say.

    One feature has one value in a decision: the model's row and the facts that rules read change together.
    Rows of tables, such as tickets, stay what the data say.

    Parameters
    ----------
    inputs : AccountInputs
        Left as they are.
    bundle : Bundle
        The next-product model.
    rules : CompiledFeatures
        The features that rules may read; those that no rule reads do not count.
    context : mapping of feature to value

    Raises
    ------
    UsageError
        A name that is no context feature of the model or the rules, or a value outside its range.
    """
    if not context:
        return inputs
    read = [feature for feature in rules.features if feature.name in inputs.facts.features]
    check_context(context, with_context_of(bundle.features.features, read))
    row, replaced = override(inputs.row, context, bundle.features.features, bundle.vocabulary)
    of_rules = {name: value for name, value in context.items() if name in inputs.facts.features}
    known = {one.feature for one in replaced}
    only_rules = tuple(
        Overridden(name, value, inputs.facts.features[name])
        for name, value in of_rules.items()
        if name not in known
    )
    facts = replace(inputs.facts, features={**inputs.facts.features, **of_rules})
    return replace(inputs, row=row, facts=facts, overridden=(*replaced, *only_rules))
