"""What is known of vLLM and of the images that hold it, as tables and questions to them."""
