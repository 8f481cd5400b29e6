"""The budget of retries."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from face_client import RetryBudget


def test_a_burst_at_the_start_and_no_more():
    budget = RetryBudget()
    assert [budget.spend() for _ in range(12)] == [True] * 10 + [False] * 2


def test_five_requests_earn_a_retry():
    budget = RetryBudget(share=0.25)
    while budget.spend():
        pass
    for _ in range(3):
        budget.earn()
        assert not budget.spend()
    budget.earn()
    assert budget.spend()
    assert not budget.spend()


def test_what_is_not_spent_does_not_pile_up():
    budget = RetryBudget(share=1)
    for _ in range(1000):
        budget.earn()
    assert sum(budget.spend() for _ in range(100)) == 10


@pytest.mark.parametrize("share", [0, 0.1, 0.2, 1, 3])
def test_any_order_keeps_the_promise(share):
    random = np.random.RandomState(0)
    budget, earned, spent = RetryBudget(share), 0, 0
    for _ in range(2000):
        if random.rand() < 0.5:
            budget.earn()
            earned += 1
        else:
            spent += budget.spend()
        assert spent <= 10 + share * earned + 1e-6


def test_threads_do_not_spend_the_same_retry():
    budget = RetryBudget(share=0.5)

    def use(_number):
        spent = 0
        for _ in range(500):
            budget.earn()
            spent += budget.spend()
        return spent

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(use, range(8))) <= 10 + 0.5 * 8 * 500
