"""Impact: from flows to prices; the response of every risk factor for every parameter draw."""
