"""What operators really asked the API server for, held against what the chart lets them."""
