"""What a metric is: which values of a result it needs, and how the results of many questions become one figure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Statistic = Callable[[Floats], Floats]
    """From rows of shape (samples, questions, columns) to a figure for each sample, of shape (samples,). A row of NaN
    is a question that the metric is not defined for; a sample without any other row gives NaN."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one question.

    `group` is what figures are also given for apart: a subject, a kind of question. `values` are numbers by name, which
    metrics are made of; one that is not defined for this question is left out. `detail` is what one would look at:
    question, answer, passages. `wider` are unions of groups that have figures, too: all kinds of one source. All of it
    is JSON.
    """

    id: str
    group: str
    values: dict[str, float]
    detail: dict[str, Any]
    wider: tuple[str, ...] = ()


def mean(rows: Floats) -> Floats:
    """The mean of the first column."""
    import numpy as np

    defined = ~np.isnan(rows[..., 0])
    with np.errstate(invalid="ignore"):
        return np.where(defined, rows[..., 0], 0).sum(-1) / defined.sum(-1)  # type: ignore[no-any-return]


def ratio(rows: Floats) -> Floats:
    """The sum of the first column by that of the second, such as right citations by citations."""
    import numpy as np

    sums = np.nansum(rows, axis=-2)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = sums[..., 0] / sums[..., 1]
    return np.where(sums[..., 1] > 0, found, np.nan)


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure that is made of many results.

    `says` is what it tells, for people; `columns` are the values it needs, and a result that lacks one does not count.
    `over` names what counts, in the plural. `bounds` are the least and the greatest that it can be; None where there is
    no such. `macro` is for the mean over groups of each group's mean, of one column.
    """

    name: str
    says: str
    columns: tuple[str, ...]
    better: Literal["higher", "lower"] = "higher"
    statistic: Statistic = mean
    over: str = "questions"
    bounds: tuple[float, float] | None = (0.0, 1.0)
    macro: bool = False

    def __post_init__(self) -> None:
        if self.macro and (self.statistic is not mean or len(self.columns) != 1):
            raise ValueError(f"{self.name}: a macro average is the mean of one column, not {self.columns}")

    def defined_for(self, result: Result) -> bool:
        """Whether the result has all values that the metric needs."""
        return all(column in result.values for column in self.columns)
